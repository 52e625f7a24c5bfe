// The small school of the live check: which rows there are, how they hang together, and how both sides number them.

export const CLASSES = 8;
export const STUDENTS_OF_A_CLASS = 4;
export const GRADES_OF_A_STUDENT = 3;
export const STUDENTS = CLASSES * STUDENTS_OF_A_CLASS;
export const GRADES = STUDENTS * GRADES_OF_A_STUDENT;
/** Rows with a version: grades first, then students. A row's id in its table is its place there plus one. */
export const ROWS = GRADES + STUDENTS;
/** Students from here on come and go with their grades; the others stay, and only they are moved. */
export const FIRST_VISITOR = STUDENTS - 4;
export const USERS = 2;

/** What is read: one grade, a student with his grades, a class over its cached students, everything. */
export const OWN = 0;
export const STUDENT = 1;
export const CLASS = 2;
export const LIST = 3;
export const KINDS = /** @type {const} */ (['own', 'student', 'class', 'list']);

/** How a read goes through a process. */
export const BY_VALUE = 0;
export const BY_ROUTE = 1;

/** How answers come about, by number in a process's answer. */
export const WAYS = ['memory', 'redis', 'collapsed', 'miss', 'bypass', 'unknown'];

/** @param {number} student */
export const rowOfStudent = (student) => GRADES + student;
/** @param {number} row */
export const isGrade = (row) => row < GRADES;
/** @param {number} row */
export const idOf = (row) => (isGrade(row) ? row : row - GRADES) + 1;
/** Where a row is at first: a grade's student, a student's class. @param {number} row */
export const firstPlaceOf = (row) =>
  Math.floor(isGrade(row) ? row / GRADES_OF_A_STUDENT : (row - GRADES) / STUDENTS_OF_A_CLASS);
/** @param {number} student */
export const isVisitor = (student) => student >= FIRST_VISITOR;
/** Whether the row comes and goes. @param {number} row */
export const visits = (row) => isVisitor(isGrade(row) ? Math.floor(row / GRADES_OF_A_STUDENT) : row - GRADES);

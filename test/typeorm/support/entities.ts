// A small school: the entities that the TypeORM tests write to.
import {
  Column,
  DeleteDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
  type Relation,
} from 'typeorm';

@Entity()
export class Tutor {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) name!: string;
}

@Entity()
export class Parent {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) name!: string;
}

export class Address {
  @Column({ type: 'varchar', default: '' }) city!: string;
  @Column({ type: 'varchar', default: '' }) street!: string;
}

@Entity()
export class Student {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) name!: string;
  @Column({ type: 'varchar', nullable: true }) nickname!: string | null;
  @Column(() => Address) address!: Address;
  @ManyToOne(() => Tutor, { nullable: true }) tutor!: Relation<Tutor> | null;
  @ManyToMany(() => Parent) @JoinTable() parents!: Relation<Parent>[];
  @OneToMany(() => Submission, (one) => one.student, { cascade: true }) submissions!: Relation<Submission>[];
  @OneToMany(() => Remark, (one) => one.student, { cascade: true }) remarks!: Relation<Remark>[];
}

/** Named by a natural key. */
@Entity()
export class Course {
  @PrimaryColumn({ type: 'varchar' }) code!: string;
  @Column({ type: 'varchar' }) title!: string;
}

/** Refers to its student by a relation alone, to its course by a column as well. */
@Entity()
export class Grade {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'int' }) score!: number;
  @Column({ type: 'varchar', nullable: true }) comment!: string | null;
  @ManyToOne(() => Student, { onDelete: 'CASCADE', nullable: true }) student!: Relation<Student>;
  @Column({ type: 'varchar', nullable: true }) courseCode!: string | null;
  @ManyToOne(() => Course, { nullable: true }) course!: Relation<Course> | null;
  @DeleteDateColumn() deletedAt!: Date | null;
}

/** Children that lose their parent when they leave its list. */
@Entity()
export class Submission {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) text!: string;
  @Column({ type: 'int', nullable: true }) studentId!: number | null;
  @ManyToOne(() => Student, (student) => student.submissions, { onDelete: 'SET NULL', nullable: true })
  student!: Relation<Student> | null;
}

/** Children that are deleted when they leave the list, and refer to their parent by a relation alone. */
@Entity()
export class Remark {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) text!: string;
  @ManyToOne(() => Student, (student) => student.remarks, { orphanedRowAction: 'delete', nullable: true })
  student!: Relation<Student> | null;
}

@Entity()
export class Enrolment {
  @PrimaryColumn({ type: 'int' }) studentId!: number;
  @PrimaryColumn({ type: 'varchar' }) courseCode!: string;
  @Column({ type: 'varchar', default: 'open' }) state!: string;
}

@Entity()
@Tree('closure-table')
export class Topic {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) name!: string;
  @TreeChildren() children!: Relation<Topic>[];
  @TreeParent() parent!: Relation<Topic> | null;
}

export const entities = [Tutor, Parent, Student, Course, Grade, Submission, Remark, Enrolment, Topic];

// Every entity of the platform, for the DataSource and its users.
import { Assessment } from './assessment.js';
import { Course } from './course.js';
import { ElementProgress } from './element-progress.js';
import { Enrolment } from './enrolment.js';
import { FacultyMember } from './faculty-member.js';
import { LoadedData } from './loaded-data.js';
import { Material } from './material.js';
import { MaterialProgress } from './material-progress.js';
import { ModulePresentation } from './module-presentation.js';
import { Organization } from './organization.js';
import { OrganizationMember } from './organization-member.js';
import { ParentLink } from './parent-link.js';
import { Report } from './report.js';
import { ReportConcern } from './report-concern.js';
import { ResultUse } from './result-use.js';
import { Room } from './room.js';
import { Submission } from './submission.js';
import { TimetableConfig } from './timetable-config.js';
import { TimetableStudent } from './timetable-student.js';
import { TutorAssignment } from './tutor-assignment.js';
import { User } from './user.js';

export {
  Assessment,
  Course,
  ElementProgress,
  Enrolment,
  FacultyMember,
  LoadedData,
  Material,
  MaterialProgress,
  ModulePresentation,
  Organization,
  OrganizationMember,
  ParentLink,
  Report,
  ReportConcern,
  ResultUse,
  Room,
  Submission,
  TimetableConfig,
  TimetableStudent,
  TutorAssignment,
  User,
};
export { ASSESSMENT_TYPES, type AssessmentType } from './assessment.js';
export { overallPercent } from './material-progress.js';
export { REPORT_KINDS, type ReportKind } from './report.js';
export { RESULT_KINDS, type ResultKind } from './result-use.js';
export { ROOM_KINDS, type RoomKind } from './room.js';
export { ROLES, type Role } from './user.js';

export const ENTITIES = [
  User,
  ModulePresentation,
  Enrolment,
  Assessment,
  Submission,
  Material,
  MaterialProgress,
  ElementProgress,
  ParentLink,
  TutorAssignment,
  Report,
  ReportConcern,
  Organization,
  OrganizationMember,
  FacultyMember,
  Course,
  Room,
  TimetableStudent,
  TimetableConfig,
  ResultUse,
  LoadedData,
];

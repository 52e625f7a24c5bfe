// Every entity of the platform, for the DataSource and its users.
import { Assessment } from './assessment.js';
import { ElementProgress } from './element-progress.js';
import { Enrolment } from './enrolment.js';
import { LoadedData } from './loaded-data.js';
import { MaterialProgress } from './material-progress.js';
import { Material } from './material.js';
import { ModulePresentation } from './module-presentation.js';
import { ParentLink } from './parent-link.js';
import { ReportConcern } from './report-concern.js';
import { Report } from './report.js';
import { Submission } from './submission.js';
import { TutorAssignment } from './tutor-assignment.js';
import { User } from './user.js';

export {
  Assessment,
  ElementProgress,
  Enrolment,
  LoadedData,
  Material,
  MaterialProgress,
  ModulePresentation,
  ParentLink,
  Report,
  ReportConcern,
  Submission,
  TutorAssignment,
  User,
};
export { ASSESSMENT_TYPES, type AssessmentType } from './assessment.js';
export { overallPercent } from './material-progress.js';
export { REPORT_KINDS, type ReportKind } from './report.js';
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
  LoadedData,
];

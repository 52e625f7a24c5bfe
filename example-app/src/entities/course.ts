// A course that has to be put on the timetable of one semester.
import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { FacultyMember } from './faculty-member.js';
import { Organization } from './organization.js';

@Entity('courses')
@Check(`weekly_hours BETWEEN 1 AND 40`)
export class Course {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Index()
  @Column({ name: 'organization_id', type: 'integer' })
  organizationId!: number;

  @Column({ type: 'varchar', length: 16 })
  code!: string;

  @Column({ type: 'varchar', length: 200 })
  title!: string;

  /** There is no table of departments: those that a course names are there. */
  @Column({ name: 'department_id', type: 'varchar', length: 16 })
  departmentId!: string;

  /** E.g. `2026-1`. */
  @Column({ type: 'varchar', length: 8 })
  semester!: string;

  @Column({ name: 'weekly_hours', type: 'smallint' })
  weeklyHours!: number;

  @Column({ name: 'faculty_id', type: 'integer' })
  facultyId!: number;

  @ManyToOne(() => Organization)
  @JoinColumn({ name: 'organization_id' })
  organization?: Relation<Organization>;

  @ManyToOne(() => FacultyMember)
  @JoinColumn({ name: 'faculty_id' })
  faculty?: Relation<FacultyMember>;
}

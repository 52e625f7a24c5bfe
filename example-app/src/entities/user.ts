// Everyone who logs in: one table, told apart by role.
import { Check, Column, Entity, OneToMany, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ParentLink } from './parent-link.js';
import { TutorAssignment } from './tutor-assignment.js';

export const ROLES = ['student', 'teacher', 'tutor', 'parent', 'administrator'] as const;
export type Role = (typeof ROLES)[number];

@Entity('users')
@Check(`role IN ('student', 'teacher', 'tutor', 'parent', 'administrator')`)
export class User {
  /** A student keeps the id of the data set; staff and parents have ids of their own above it. */
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Column({ type: 'varchar', length: 16 })
  role!: Role;

  @Column({ type: 'varchar', length: 120 })
  name!: string;

  /** Set for the demonstration users only: their bearer token. */
  @Column({ type: 'varchar', length: 40, nullable: true, unique: true })
  login!: string | null;

  @OneToOne(() => TutorAssignment, (assignment) => assignment.student)
  tutorAssignment?: Relation<TutorAssignment>;

  @OneToMany(() => ParentLink, (link) => link.student)
  parentLinks?: Relation<ParentLink>[];
}

// A piece of assessed work of one presentation.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ModulePresentation } from './module-presentation.js';

/** Tutor-marked, computer-marked, examination: the kinds of the data set. */
export const ASSESSMENT_TYPES = ['TMA', 'CMA', 'Exam'] as const;
export type AssessmentType = (typeof ASSESSMENT_TYPES)[number];

@Entity('assessments')
export class Assessment {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Index()
  @Column({ name: 'presentation_code', type: 'varchar', length: 16 })
  presentationCode!: string;

  @Column({ type: 'varchar', length: 8 })
  type!: AssessmentType;

  @Column({ name: 'due_day', type: 'smallint' })
  dueDay!: number;

  /** Share of the overall score in percent; 0 counts for nothing but is marked all the same. */
  @Column({ type: 'double precision' })
  weight!: number;

  @ManyToOne(() => ModulePresentation)
  @JoinColumn({ name: 'presentation_code' })
  presentation?: Relation<ModulePresentation>;
}

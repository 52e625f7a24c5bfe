// A student's work for one assessment, and its grade.
import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Assessment } from './assessment.js';
import { User } from './user.js';

@Entity('submissions')
@Check(`score BETWEEN 0 AND 100`)
export class Submission {
  @PrimaryColumn({ name: 'assessment_id', type: 'integer' })
  assessmentId!: number;

  @Index()
  @PrimaryColumn({ name: 'student_id', type: 'integer' })
  studentId!: number;

  @Column({ name: 'submitted_day', type: 'smallint' })
  submittedDay!: number;

  /** Carried over from an earlier attempt. */
  @Column({ type: 'boolean', default: false })
  banked!: boolean;

  /** 0 to 100; null until it is graded. */
  @Column({ type: 'double precision', nullable: true })
  score!: number | null;

  @Column({ name: 'graded_by_id', type: 'integer', nullable: true })
  gradedById!: number | null;

  @Column({ name: 'graded_at', type: 'timestamptz', nullable: true })
  gradedAt!: Date | null;

  @ManyToOne(() => Assessment)
  @JoinColumn({ name: 'assessment_id' })
  assessment?: Relation<Assessment>;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'student_id' })
  student?: Relation<User>;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'graded_by_id' })
  gradedBy?: Relation<User> | null;
}

// A student on a presentation, with the background the analytics group by.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ModulePresentation } from './module-presentation.js';
import { User } from './user.js';

@Entity('enrolments')
export class Enrolment {
  @PrimaryColumn({ name: 'presentation_code', type: 'varchar', length: 16 })
  presentationCode!: string;

  @Index()
  @PrimaryColumn({ name: 'student_id', type: 'integer' })
  studentId!: number;

  /** Days relative to the start; negative is before it. */
  @Column({ name: 'registered_day', type: 'smallint', nullable: true })
  registeredDay!: number | null;

  @Column({ name: 'unregistered_day', type: 'smallint', nullable: true })
  unregisteredDay!: number | null;

  @Column({ name: 'final_result', type: 'varchar', length: 16 })
  finalResult!: string;

  @Column({ type: 'varchar', length: 40 })
  region!: string;

  @Column({ type: 'varchar', length: 40 })
  education!: string;

  /** Decile of deprivation of the place of residence; null where it is not known. */
  @Column({ name: 'imd_band', type: 'varchar', length: 16, nullable: true })
  imdBand!: string | null;

  @Column({ name: 'age_band', type: 'varchar', length: 8 })
  ageBand!: string;

  @ManyToOne(() => ModulePresentation)
  @JoinColumn({ name: 'presentation_code' })
  presentation?: Relation<ModulePresentation>;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'student_id' })
  student?: Relation<User>;
}

// A report that someone wrote and saved, as opposed to one that is computed.
import {
  Check,
  Column,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';
import { ReportConcern } from './report-concern.js';
import { User } from './user.js';

export const REPORT_KINDS = ['general', 'student', 'tutor_weekly', 'teacher_weekly'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

@Entity('reports')
@Check(`kind IN ('general', 'student', 'tutor_weekly', 'teacher_weekly')`)
export class Report {
  @PrimaryGeneratedColumn('identity', { type: 'integer' })
  id!: number;

  @Column({ type: 'varchar', length: 16 })
  kind!: ReportKind;

  @Column({ type: 'varchar', length: 200 })
  title!: string;

  @Column({ type: 'text' })
  body!: string;

  @Index()
  @Column({ name: 'author_id', type: 'integer' })
  authorId!: number;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'author_id' })
  author?: Relation<User>;

  @OneToMany(() => ReportConcern, (concern) => concern.report)
  concerns?: Relation<ReportConcern>[];
}

// A user whom a saved report is about or addressed to.
import { Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Report } from './report.js';
import { User } from './user.js';

@Entity('report_concerns')
export class ReportConcern {
  @PrimaryColumn({ name: 'report_id', type: 'integer' })
  reportId!: number;

  @Index()
  @PrimaryColumn({ name: 'user_id', type: 'integer' })
  userId!: number;

  @ManyToOne(() => Report, (report) => report.concerns)
  @JoinColumn({ name: 'report_id' })
  report?: Relation<Report>;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'user_id' })
  user?: Relation<User>;
}

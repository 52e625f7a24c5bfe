// The grid of an organisation's week: on how many days, how many periods, and when.
import { Check, Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Organization } from './organization.js';

@Entity('timetable_configs')
@Check(`days BETWEEN 1 AND 7 AND periods BETWEEN 1 AND 24`)
export class TimetableConfig {
  @PrimaryColumn({ name: 'organization_id', type: 'integer' })
  organizationId!: number;

  /** From Monday on. */
  @Column({ type: 'smallint' })
  days!: number;

  @Column({ type: 'smallint' })
  periods!: number;

  /** Start of the first period, in minutes after midnight. */
  @Column({ name: 'first_minute', type: 'smallint' })
  firstMinute!: number;

  @Column({ name: 'period_minutes', type: 'smallint' })
  periodMinutes!: number;

  @Column({ name: 'break_minutes', type: 'smallint' })
  breakMinutes!: number;

  @OneToOne(() => Organization)
  @JoinColumn({ name: 'organization_id' })
  organization?: Relation<Organization>;
}

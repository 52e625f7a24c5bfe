// Somebody for whom the timetable is made; he does not log in.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Organization } from './organization.js';

@Entity('timetable_students')
export class TimetableStudent {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Index()
  @Column({ name: 'organization_id', type: 'integer' })
  organizationId!: number;

  @Column({ type: 'varchar', length: 120 })
  name!: string;

  @Column({ name: 'department_id', type: 'varchar', length: 16 })
  departmentId!: string;

  @Column({ type: 'smallint' })
  year!: number;

  @ManyToOne(() => Organization)
  @JoinColumn({ name: 'organization_id' })
  organization?: Relation<Organization>;
}

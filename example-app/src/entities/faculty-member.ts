// Somebody who gives courses; not everyone of them logs in.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Organization } from './organization.js';

@Entity('faculty')
export class FacultyMember {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Index()
  @Column({ name: 'organization_id', type: 'integer' })
  organizationId!: number;

  @Column({ type: 'varchar', length: 120 })
  name!: string;

  @Column({ name: 'department_id', type: 'varchar', length: 16 })
  departmentId!: string;

  @Column({ name: 'max_hours', type: 'smallint' })
  maxHours!: number;

  @ManyToOne(() => Organization)
  @JoinColumn({ name: 'organization_id' })
  organization?: Relation<Organization>;
}

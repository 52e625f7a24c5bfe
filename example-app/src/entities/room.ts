// A room in which courses can be held.
import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Organization } from './organization.js';

export const ROOM_KINDS = ['lecture', 'seminar', 'laboratory'] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

@Entity('rooms')
@Check(`capacity BETWEEN 1 AND 2000`)
export class Room {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Index()
  @Column({ name: 'organization_id', type: 'integer' })
  organizationId!: number;

  @Column({ type: 'varchar', length: 40 })
  name!: string;

  @Column({ type: 'varchar', length: 16 })
  kind!: RoomKind;

  @Column({ type: 'smallint' })
  capacity!: number;

  @ManyToOne(() => Organization)
  @JoinColumn({ name: 'organization_id' })
  organization?: Relation<Organization>;
}

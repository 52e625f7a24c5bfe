// A page, quiz or forum of a presentation, made of numbered elements.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ModulePresentation } from './module-presentation.js';

@Entity('materials')
export class Material {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Index()
  @Column({ name: 'presentation_code', type: 'varchar', length: 16 })
  presentationCode!: string;

  @Column({ name: 'activity_type', type: 'varchar', length: 20 })
  activityType!: string;

  @Column({ name: 'week_from', type: 'smallint', nullable: true })
  weekFrom!: number | null;

  @Column({ name: 'week_to', type: 'smallint', nullable: true })
  weekTo!: number | null;

  /** How many elements it has; they are numbered from 1. */
  @Column({ type: 'smallint' })
  elements!: number;

  @ManyToOne(() => ModulePresentation)
  @JoinColumn({ name: 'presentation_code' })
  presentation?: Relation<ModulePresentation>;
}

// How far one student is through one material.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Material } from './material.js';
import { User } from './user.js';

@Entity('material_progress')
export class MaterialProgress {
  @PrimaryColumn({ name: 'material_id', type: 'integer' })
  materialId!: number;

  @Index()
  @PrimaryColumn({ name: 'student_id', type: 'integer' })
  studentId!: number;

  /** Mean over all elements of the material, 0 to 100. */
  @Column({ type: 'smallint' })
  percent!: number;

  @Column({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;

  @ManyToOne(() => Material)
  @JoinColumn({ name: 'material_id' })
  material?: Relation<Material>;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'student_id' })
  student?: Relation<User>;
}

/** Mean over all elements of a material; those not begun count as 0. */
export function overallPercent(percents: readonly number[], elements: number): number {
  return Math.round(percents.reduce((sum, percent) => sum + percent, 0) / elements);
}

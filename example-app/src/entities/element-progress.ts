// How far one student is through one element of a material.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Material } from './material.js';
import { User } from './user.js';

@Entity('element_progress')
export class ElementProgress {
  @PrimaryColumn({ name: 'material_id', type: 'integer' })
  materialId!: number;

  @Index()
  @PrimaryColumn({ name: 'student_id', type: 'integer' })
  studentId!: number;

  /** Number of the element in its material, from 1. */
  @PrimaryColumn({ type: 'smallint' })
  element!: number;

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

// One run of a module, named by its natural code such as `AAA-2013J`.
import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from './user.js';

@Entity('module_presentations')
export class ModulePresentation {
  @PrimaryColumn({ type: 'varchar', length: 16 })
  code!: string;

  @Column({ type: 'varchar', length: 8 })
  module!: string;

  /** Day 0 of every day number in the data. */
  @Column({ name: 'starts_on', type: 'date' })
  startsOn!: string;

  @Column({ name: 'length_days', type: 'smallint' })
  lengthDays!: number;

  @Index()
  @Column({ name: 'teacher_id', type: 'integer' })
  teacherId!: number;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'teacher_id' })
  teacher?: Relation<User>;
}

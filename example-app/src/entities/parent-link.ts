// Which parent may follow which student.
import { Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from './user.js';

@Entity('parent_links')
export class ParentLink {
  @PrimaryColumn({ name: 'parent_id', type: 'integer' })
  parentId!: number;

  @Index()
  @PrimaryColumn({ name: 'student_id', type: 'integer' })
  studentId!: number;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'parent_id' })
  parent?: Relation<User>;

  @ManyToOne(() => User, (student) => student.parentLinks)
  @JoinColumn({ name: 'student_id' })
  student?: Relation<User>;
}

// The tutor of a student; a student has one.
import { Column, Entity, Index, JoinColumn, ManyToOne, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from './user.js';

@Entity('tutor_assignments')
export class TutorAssignment {
  @PrimaryColumn({ name: 'student_id', type: 'integer' })
  studentId!: number;

  @Index()
  @Column({ name: 'tutor_id', type: 'integer' })
  tutorId!: number;

  @OneToOne(() => User, (student) => student.tutorAssignment)
  @JoinColumn({ name: 'student_id' })
  student?: Relation<User>;

  @ManyToOne(() => User)
  @JoinColumn({ name: 'tutor_id' })
  tutor?: Relation<User>;
}

// One row saying which data this schema was loaded with; its absence means "not loaded yet".
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('loaded_data')
export class LoadedData {
  /** Always 1. */
  @PrimaryColumn({ type: 'smallint' })
  id!: number;

  /** Where it came from, e.g. `oulad` or `cohort seed=2013 students=1200`. */
  @Column({ type: 'varchar', length: 80 })
  source!: string;

  @Column({ type: 'integer' })
  students!: number;

  @Column({ type: 'integer' })
  submissions!: number;

  @Column({ name: 'loaded_at', type: 'timestamptz' })
  loadedAt!: Date;
}

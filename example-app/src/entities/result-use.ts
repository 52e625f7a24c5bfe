// How a costly result was used: one row for each (kind, user, subject, engine), added to in batches. Not the result itself.
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

export const RESULT_KINDS = ['ai_insight', 'user_analytics'] as const;
export type ResultKind = (typeof RESULT_KINDS)[number];

@Entity('result_uses')
@Check(`kind IN ('ai_insight', 'user_analytics')`)
export class ResultUse {
  @PrimaryColumn({ type: 'varchar', length: 16 })
  kind!: ResultKind;

  /** Whom it is about. */
  @PrimaryColumn({ name: 'user_id', type: 'integer' })
  userId!: number;

  /** Empty where it is about everything. */
  @PrimaryColumn({ type: 'varchar', length: 8 })
  subject!: string;

  /** Empty where there is but one. */
  @PrimaryColumn({ type: 'varchar', length: 16 })
  engine!: string;

  @Column({ type: 'integer' })
  generated!: number;

  @Column({ type: 'integer' })
  hits!: number;

  @Column({ name: 'tokens_used', type: 'bigint' })
  tokensUsed!: string;

  @Column({ name: 'tokens_saved', type: 'bigint' })
  tokensSaved!: string;

  /** Of the newest result. */
  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  /** Null: it was not kept. */
  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt!: Date | null;
}

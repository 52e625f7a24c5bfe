// Analyses of students, each kept for a day by student, subject and engine, whoever looks at it.
import type { DataSource } from 'typeorm';
import { type Answer, CATALOGUE, type Reports, tag } from '../cache.js';
import { Enrolment } from '../entities/index.js';
import { notFound, Problem } from '../problem.js';
import type { Query } from '../reports/sql.js';
import { type Engine, ENGINE_FAILURES, EngineError, type InsightText } from './engine.js';
import { type Figures, figuresOf } from './figures.js';

export interface Insight {
  readonly model: string;
  readonly figures: Figures;
  readonly insight: InsightText;
}

export interface Insights {
  /** The first is the one that is meant where none is named. */
  readonly engines: readonly string[];
  /** @throws Problem: unknown subject, what the engine has failed with, or what may be spent today is spent */
  get(studentId: number, subject: string, engine: string): Promise<Answer<Insight>>;
}

export function createInsights(reports: Reports, dataSource: DataSource, engines: readonly Engine[]): Insights {
  const query: Query = (sql, parameters) => dataSource.query(sql, [...parameters]);
  const enrolments = dataSource.getRepository(Enrolment);

  return {
    engines: engines.map(({ name }) => name),
    async get(studentId, subject, name) {
      const engine = engines.find((one) => one.name === name);
      if (engine === undefined) throw notFound(`engine "${name}"`);
      // In front of the cache: a question about nothing is no run that failed.
      if (!(await enrolments.existsBy({ studentId, presentation: { module: subject } })))
        throw notFound(`subject "${subject}" of student ${studentId}`);
      const request = {
        type: 'ai_insight',
        report: studentId,
        // Whoever may see the student shares it, and limits for each user count for each student.
        identity: { user: studentId, tenant: studentId },
        share: 'tenant',
        filters: { subject, engine: name },
        // Its own kind: grades and enrolments, not every page that the student reads.
        tags: [tag('marks', studentId), CATALOGUE],
      } as const;
      const loading = reports.getOrLoadAnswer<Insight>(request, async (run) => {
        const figures = await figuresOf(query, studentId, subject);
        try {
          const { text, usage } = await engine.analyse(figures);
          run.cost(usage);
          return { model: usage.model, figures, insight: text };
        } catch (error) {
          if (!(error instanceof EngineError)) throw error;
          // Spent all the same.
          if (error.details.usage !== undefined) run.cost(error.details.usage);
          throw error;
        }
      });
      return loading.catch((error: unknown) => {
        throw problemOf(error);
      });
    },
  };
}

function problemOf(error: unknown): unknown {
  if (error instanceof EngineError) {
    const { code, message, details } = error;
    return new Problem(ENGINE_FAILURES[code], message, { code }, retryAfter(details.retryAfter));
  }
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  if (code === 'ERC_SPEND') {
    const detail = 'What may be spent on analyses today is spent. Those that are there are still served.';
    const headers = Reflect.get(error as Error, 'headers') as Readonly<Record<string, string>>;
    return new Problem(429, detail, { code: 'spend_limit' }, headers);
  }
  return error;
}

function retryAfter(seconds: number | undefined): Readonly<Record<string, string>> {
  return seconds === undefined ? {} : { 'Retry-After': String(seconds) };
}

// A real small school behind the dashboard: declared reports, a schedule, lists and metrics, over Redis.
import client from 'prom-client';
import { tag, type AdminList } from '../../src/index.js';
import { startStage, type Scene, type Stage } from '../admin/dashboard-stage.js';
import { gate } from '../support/gate.js';

/** What an attacker would write wherever he may. */
export const HOSTILE = '<img src=x onerror="globalThis.attacked=1"><script>globalThis.attacked=1</script>';

export type School = Stage & {
  /** Loaders and tasks that begin from now on wait; what is returned lets them go. */
  readonly hold: () => () => void;
};

export interface Opening extends Scene {
  /** What users have written: titles, subjects, messages. */
  readonly text?: string;
}

const TEACHER = 'teacher-3';
const CLASSES = 120;

export async function openSchool({
  text = 'Algebra',
  admin = {},
  cache = {},
  ...scene
}: Opening = {}): Promise<School> {
  let free: Promise<void> = Promise.resolve();
  const register = new client.Registry();
  new client.Gauge({ name: 'school_classes', help: 'Classes of the school.', registers: [register] }).set(CLASSES);

  const stage = await startStage({
    ...scene,
    cache: { costs: {}, ...cache },
    admin: { lists: { lessons: lessons(text), marks }, metrics: register, ...admin },
    furnish(reports, app) {
      const progress = reports.report('student_progress', {
        share: 'everyone',
        tags: ({ report }) => [tag('student', report)],
        warm: {
          report: (report) => [{ report }],
          user: (user) => (user === TEACHER ? [{ report: '1' }, { report: '2' }] : []),
          all: () => Array.from({ length: CLASSES }, (_, at) => ({ report: at + 1 })),
        },
        load: async ({ report }) => {
          await free;
          if (report === '404') throw new Error(`There is no student in ${text}.`);
          return { report, marks: Array.from({ length: 5 }, (_, at) => (Number(report) + at) % 6) };
        },
      });
      app.get(
        '/progress/:id',
        progress.route((req) => String(req.params['id'])),
      );
      reports.schedule({
        report_cards: {
          cron: '0 3 1 1 *',
          timezone: 'Europe/Berlin',
          retries: 0,
          run: async () => {
            await free;
            return { sent: CLASSES };
          },
        },
        letters: {
          cron: '0 4 1 1 *',
          retries: 0,
          run: () => {
            throw Object.assign(new Error('no paper'), { name: text });
          },
        },
      });
    },
  });
  return {
    ...stage,
    hold() {
      const held = gate();
      free = held.opened;
      return () => held.open();
    },
  };
}

function lessons(subject: string): AdminList {
  const items = Array.from({ length: 70 }, (_, at) => ({
    id: at + 1,
    subject: at === 0 ? subject : `Lesson ${at + 1}`,
    hits: 70 - at,
    begins_at: new Date(Date.UTC(2026, 0, 5, 8 + at)),
  }));
  return {
    title: `Lessons in ${subject}`,
    columns: ['subject', 'hits', 'begins_at'],
    page({ limit, after = '0' }) {
      const from = Number(after);
      return {
        items: items.slice(from, from + limit),
        ...(from + limit < items.length && { next: String(from + limit) }),
      };
    },
    item(id) {
      const found = items.find((one) => String(one.id) === id);
      return found && { ...found, result: { summary: `What was learned: ${found.subject}`, marks: [1, 2] } };
    },
  };
}

/** Of which no item has a page of its own, and for which no columns are named. */
const marks: AdminList = {
  title: 'Marks',
  columns: [],
  page: () => ({ items: [{ id: 7, mark: 'A', of: { not: 'plain' } }] }),
};

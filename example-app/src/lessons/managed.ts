// The lessons as a list of the management of the cache, each with its versions.
import type { AdminList } from '../cache.js';
import { type LessonKey, STYLES } from './lesson.js';
import { type Lessons, subjectOf } from './lessons.js';

export function lessonList(lessons: Lessons): AdminList {
  return {
    title: 'Lessons',
    columns: ['title', 'number', 'style', 'versions', 'pinned'],
    async page({ limit, after }) {
      const { subjects, next } = await lessons.subjects({ limit, ...(after !== undefined && { after }) });
      const items = subjects.map(({ report, filters, latest, pinned }) => {
        const key = { ...(JSON.parse(filters) as Omit<LessonKey, 'title'>), title: report };
        return { id: idOf(key), ...key, versions: latest, pinned: pinned ?? null };
      });
      return { items, ...(next !== undefined && { next }) };
    },
    async item(id) {
      const key = keyIn(id);
      const versions = key && (await lessons.list(subjectOf(key)));
      return versions && versions.length > 0 ? { ...key, versions } : undefined;
    },
  };
}

const idOf = ({ title, number, style }: LessonKey): string => `${number}.${style}.${title}`;

function keyIn(id: string): LessonKey | undefined {
  const [, number, named, title] = /^(\d{1,3})\.(\w+)\.(.+)$/s.exec(id) ?? [];
  const style = STYLES.find((one) => one === named);
  return style === undefined || title === undefined ? undefined : { title, number: Number(number), style };
}

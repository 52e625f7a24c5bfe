// Generates who read what: the folder of the data set has the materials, but not the clicks.
import { overallPercent } from '../entities/index.js';
import type { Dataset } from './dataset.js';
import { createRandom } from './random.js';

const SEED = 1979;
const MIN_ELEMENTS = 3;
const MAX_ELEMENTS = 6;

export interface Activity {
  /** Material id to its number of elements. */
  readonly elements: ReadonlyMap<number, number>;
  readonly materialProgress: readonly {
    readonly materialId: number;
    readonly studentId: number;
    readonly percent: number;
    readonly updatedAt: string;
  }[];
  readonly elementProgress: readonly {
    readonly materialId: number;
    readonly studentId: number;
    readonly element: number;
    readonly percent: number;
    readonly updatedAt: string;
  }[];
}

/** Students with better marks read more: up to seven materials each. */
export function generateActivity(data: Dataset): Activity {
  const random = createRandom(SEED);
  const elements = new Map(data.materials.map((material) => [material.id, random.between(MIN_ELEMENTS, MAX_ELEMENTS)]));
  const materialsOf = groupMaterials(data);

  const marks = new Map<number, { sum: number; count: number }>();
  for (const { studentId, score } of data.submissions) {
    const mark = marks.get(studentId) ?? { sum: 0, count: 0 };
    marks.set(studentId, { sum: mark.sum + (score ?? 0), count: mark.count + 1 });
  }

  const materialProgress: Activity['materialProgress'][number][] = [];
  const elementProgress: Activity['elementProgress'][number][] = [];
  for (const enrolment of data.enrolments) {
    const { studentId } = enrolment;
    const available = materialsOf.get(enrolment.presentationCode);
    if (available === undefined) continue;
    const mark = marks.get(studentId);
    const ability = mark === undefined ? 0.2 : mark.sum / mark.count / 100;
    const wanted = Math.min(available.materials.length, 1 + Math.floor(ability * 7 * random.next()));
    // a stride through the list gives different materials without keeping a set per student
    const stride = 1 + random.between(0, Math.max(0, Math.floor(available.materials.length / wanted) - 1));
    let at = random.between(0, available.materials.length - 1);
    for (let count = 0; count < wanted; count++, at = (at + stride) % available.materials.length) {
      const materialId = available.materials[at];
      const total = materialId === undefined ? undefined : elements.get(materialId);
      if (materialId === undefined || total === undefined) continue;
      const begun = random.between(1, total);
      const day = random.between(0, 200);
      const updatedAt = new Date(
        available.start + day * 86_400_000 + random.between(8 * 60, 22 * 60) * 60_000,
      ).toISOString();
      const percents: number[] = [];
      for (let element = 1; element <= begun; element++) {
        const percent = random.next() < ability ? 100 : random.between(1, 9) * 10;
        percents.push(percent);
        elementProgress.push({ materialId, studentId, element, percent, updatedAt });
      }
      materialProgress.push({ materialId, studentId, percent: overallPercent(percents, total), updatedAt });
    }
  }
  return { elements, materialProgress, elementProgress };
}

function groupMaterials(data: Dataset): Map<string, { start: number; materials: number[] }> {
  const groups = new Map(
    data.presentations.map((one) => [one.code, { start: Date.parse(one.startsOn), materials: [] as number[] }]),
  );
  for (const material of data.materials) groups.get(material.presentationCode)?.materials.push(material.id);
  return groups;
}

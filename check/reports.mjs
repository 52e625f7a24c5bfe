// The reports that show a graded submission: who may read them, how often, and where the version stands.

/** @typedef {import('./subjects.mjs').Subject} Subject */
/** @typedef {import('./oracle.mjs').Shown} Shown */

/**
 * @typedef {object} Reading
 * @property {string} path
 * @property {string} token
 * @property {readonly Subject[]} shows every graded submission that the answer must contain
 * @property {(body: any) => Shown[]} shown
 */

const tokenOf = (/** @type {number} */ user) => `demo-user-${user}`;
const ADMINISTRATOR = 'demo-admin';

/** @param {number | string | null | undefined} score */
function versionOf(score) {
  const version = Number(score) * 10;
  // Sums divide what they have multiplied: exact but for the last bits.
  if (score === null || score === undefined || Math.abs(version - Math.round(version)) > 1e-6)
    throw new Error(`The score ${score} is no version.`);
  return Math.round(version);
}

/** @param {readonly any[]} list @param {(one: any) => boolean} test */
function only(list, test) {
  const found = list.filter(test);
  if (found.length !== 1) throw new Error(`The answer shows the submission ${found.length} times.`);
  return found[0];
}

/** @param {Subject} one @param {string} viewer @param {string} query @returns {Reading} */
function progress(one, viewer, query) {
  return {
    path: `/api/reports/students/${one.student}/progress${query}`,
    token: viewer,
    shows: [one],
    shown(body) {
      if (body.student.id !== one.student) throw new Error(`Asked for ${one.student}, answered ${body.student.id}.`);
      const presentation = only(body.presentations, ({ code }) => code === one.code);
      const { score } = only(presentation.assessments, ({ id }) => id === one.assessment);
      return [{ index: one.index, version: versionOf(score) }];
    },
  };
}

/**
 * @param {readonly Subject[]} subjects all of this tutor
 * @param {string} viewer
 * @param {string} [code] narrows it to one presentation
 * @returns {Reading}
 */
function overview(subjects, viewer, code) {
  const shows = subjects.filter((one) => code === undefined || one.code === code);
  return {
    path: `/api/reports/tutors/${subjects[0]?.tutor}/overview${code === undefined ? '' : `?presentation=${code}`}`,
    token: viewer,
    shows,
    shown: (body) =>
      shows.map((one) => {
        const seat = only(body.students, (row) => row.student === one.student && row.presentation === one.code);
        return { index: one.index, version: versionOf(seat.score) };
      }),
  };
}

/**
 * @param {readonly Subject[]} subjects all of this parent
 * @param {string} viewer
 * @param {string} [code]
 * @returns {Reading}
 */
function children(subjects, viewer, code) {
  const shows = subjects.filter((one) => code === undefined || one.code === code);
  return {
    path: `/api/reports/parents/${subjects[0]?.parent}/children${code === undefined ? '' : `?presentation=${code}`}`,
    token: viewer,
    shows,
    shown: (body) =>
      shows.map((one) => {
        const child = only(body.children, ({ student }) => student === one.student);
        const standing = only(child.presentations, (row) => row.code === one.code);
        return { index: one.index, version: versionOf(standing.score) };
      }),
  };
}

/**
 * Every reading of every subject, with how often it is chosen among those of its subject.
 * @param {readonly Subject[]} subjects
 * @returns {readonly (readonly { weight: number, reading: Reading }[])[]}
 */
export function readingsOf(subjects) {
  return subjects.map((one) => {
    const ofTutor = subjects.filter(({ tutor }) => tutor === one.tutor);
    const ofParent = subjects.filter(({ parent }) => parent === one.parent);
    const byType = `?assessment_type=${one.type}`;
    const byCode = `?presentation=${one.code}`;
    return [
      { weight: 24, reading: progress(one, tokenOf(one.student), '') },
      { weight: 6, reading: progress(one, tokenOf(one.student), byType) },
      { weight: 14, reading: progress(one, tokenOf(one.teacher), '') },
      { weight: 4, reading: progress(one, tokenOf(one.teacher), byCode) },
      { weight: 10, reading: progress(one, tokenOf(one.tutor), '') },
      { weight: 10, reading: progress(one, tokenOf(one.parent), '') },
      { weight: 2, reading: progress(one, ADMINISTRATOR, '') },
      { weight: 9, reading: overview(ofTutor, tokenOf(one.tutor)) },
      { weight: 3, reading: overview(ofTutor, tokenOf(one.tutor), one.code) },
      { weight: 2, reading: overview(ofTutor, ADMINISTRATOR) },
      { weight: 12, reading: children(ofParent, tokenOf(one.parent)) },
      { weight: 3, reading: children(ofParent, tokenOf(one.parent), one.code) },
      { weight: 1, reading: children(ofParent, ADMINISTRATOR) },
    ];
  });
}

// Pure: from the figures of the rounds to medians, spreads and verdicts.

/** One result per arm and size; ratios are taken inside each round and only then summed up. */
export function judge(cases, runs) {
  return cases.flatMap(({ arm, size }) => {
    const of = (name) => runs.filter((run) => run.arm.name === name && run.size === size);
    const own = of(arm.name);
    if (own.length === 0) return [];
    const pairs = (arm.floor === undefined ? [] : of(arm.floor)).flatMap((floor) => {
      const beside = own.find(({ round }) => round === floor.round);
      return beside === undefined ? [] : [{ floor: floor.cpu, own: beside.cpu }];
    });
    const figure = (name) => median(own.map((run) => run[name]));
    return [
      {
        arm,
        size,
        cpu: figure('cpu'),
        system: figure('system'),
        rate: figure('rate'),
        p50: figure('p50'),
        p99: figure('p99'),
        ratio: pairs.length === 0 ? undefined : summary(pairs.map((pair) => pair.floor / pair.own)),
        above: pairs.length === 0 ? undefined : summary(pairs.map((pair) => pair.own - pair.floor)),
      },
    ];
  });
}

/**
 * The results that something was promised of, each with the best other cache beside the same floor.
 * @returns {{ result: object, aim: string, met: boolean, best: object | undefined, ahead: boolean }[]}
 */
export function verdicts(results) {
  return results
    .filter(({ arm, size }) => arm.aim !== undefined || (arm.most !== undefined && size === '50 kB'))
    .map((result) => {
      const { arm, size, ratio, above } = result;
      const others = results.filter((one) => one.arm.peer && one.arm.floor === arm.floor && one.size === size);
      const best = others.toSorted((a, b) => b.ratio.median - a.ratio.median)[0];
      return {
        result,
        aim: arm.aim === undefined ? `at most ${arm.most} µs above` : `ratio ${arm.aim}`,
        met: arm.aim === undefined ? above.median <= arm.most : ratio.median >= arm.aim,
        best,
        ahead: best === undefined || ratio.median >= best.ratio.median,
      };
    });
}

export function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

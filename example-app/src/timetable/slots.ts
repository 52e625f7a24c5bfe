// Pure: the periods of a week in which the departments may hold their courses.
export interface Grid {
  readonly days: number;
  readonly periods: number;
  readonly firstMinute: number;
  readonly periodMinutes: number;
  readonly breakMinutes: number;
}

export interface TimeSlot {
  readonly id: string;
  readonly department: string;
  /** 1 is Monday. */
  readonly day: number;
  readonly start: string;
  readonly end: string;
}

const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** Every department has the whole week. */
export function slotsOf(grid: Grid, departments: readonly string[]): TimeSlot[] {
  const slots: TimeSlot[] = [];
  for (const department of departments)
    for (let day = 1; day <= grid.days; day++)
      for (let period = 0; period < grid.periods; period++) {
        const start = grid.firstMinute + period * (grid.periodMinutes + grid.breakMinutes);
        slots.push({
          id: `${department}-${day}-${period + 1}`,
          department,
          day,
          start: clock(start),
          end: clock(start + grid.periodMinutes),
        });
      }
  return slots;
}

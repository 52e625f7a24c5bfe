// Of answers that may overtake one another, only the one that was asked for last is shown.

/** @returns takes the answers to questions in the order in which they were asked */
export function lastOf<T>(show: (told: T) => void, failed: (error: unknown) => void): (answer: Promise<T>) => void {
  let asked = 0;
  return (answer) => {
    const number = (asked += 1);
    answer.then(
      (told) => {
        if (number === asked) show(told);
      },
      (error: unknown) => {
        if (number === asked) failed(error);
      },
    );
  };
}

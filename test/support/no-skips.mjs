// Jest reporter: names every test that did not run, and under CI fails the run for it.

export default class NoSkips {
  /** @type {string[]} */
  #skipped = [];

  /** @param {unknown} _test @param {import('@jest/test-result').TestResult} file */
  onTestResult(_test, file) {
    const where = file.displayName ? `${file.testFilePath} (${file.displayName.name})` : file.testFilePath;
    if (file.skipped) this.#skipped.push(where);
    for (const result of file.testResults)
      if (result.status !== 'passed' && result.status !== 'failed')
        this.#skipped.push(`${where}: ${result.fullName} (${result.status})`);
  }

  onRunComplete() {
    // A name filter (-t) skips by intention.
    if (process.argv.some((argument) => /^(-t|--testNamePattern)/.test(argument))) this.#skipped = [];
    const fails = process.env.CI === 'true' ? ' (under CI every test must run)' : '';
    for (const skipped of this.#skipped) console.log(`Not run${fails}: ${skipped}`);
  }

  // Jest fails the run for this error, but shows nothing of it: the lines above do.
  getLastError() {
    return this.#skipped.length > 0 && process.env.CI === 'true' ? new Error('tests were skipped') : undefined;
  }
}

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
    for (const skipped of this.#skipped) console.log(`Not run: ${skipped}`);
  }

  getLastError() {
    if (this.#skipped.length > 0 && process.env.CI === 'true')
      return new Error(`${this.#skipped.length} test(s) did not run; under CI every test must.`);
    return undefined;
  }
}

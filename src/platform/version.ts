/** The program's version, as in package.json (a test compares them). */
export const version = '0.1.0';
/** Format of the data directory; older ones are migrated, newer ones refused. */
export const dataVersion = 1;

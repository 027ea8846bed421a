/** Decides which files of a source directory stay out of its image, in the language of .dockerignore; later lines win. */
export function ignoreRules(text: string): (path: string) => boolean {
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const negated = line.startsWith('!');
      const pattern = (negated ? line.slice(1).trim() : line).replace(/^\/+/, '').replace(/\/+$/, '');
      return { negated, expression: expressionOf(pattern) };
    });
  return (path) => {
    let ignored = false;
    for (const { negated, expression } of rules) if (expression.test(path)) ignored = !negated;
    return ignored;
  };
}

/** `*` and `?` stay within a path part, `**` does not; what lies under a matching directory matches too. */
function expressionOf(pattern: string): RegExp {
  let source = '';
  for (let index = 0; index < pattern.length; index += 1) {
    const char = pattern[index] ?? '';
    if (pattern.startsWith('**/', index)) {
      source += '(?:.*/)?';
      index += 2;
    } else if (pattern.startsWith('**', index)) {
      source += '.*';
      index += 1;
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else source += char.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
  }
  return new RegExp(`^${source}(?:/.*)?$`);
}

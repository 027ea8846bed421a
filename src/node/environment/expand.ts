/**
 * Replaces `$(NAME)` by `lookup(NAME)`; `$$` is a literal `$`; a reference to an unknown name stays as written
 * (Kubernetes' variable expansion for command, args, env and subPathExpr).
 */
export function expandVariables(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes('$')) return text;
  return text.replaceAll(/\$(\$|\(([^)]*)\))/g, (whole, token: string, name: string | undefined) => {
    if (token === '$') return '$';
    return lookup(name ?? '') ?? whole;
  });
}

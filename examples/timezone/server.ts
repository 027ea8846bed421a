// The current date and time of `?timezone=`, as a web app that scales to zero. TypeScript, run directly by Node.
import { createServer, type ServerResponse } from 'node:http';

createServer((request, response) => {
  const timezone = new URL(request.url ?? '/', 'http://localhost').searchParams.get('timezone');
  if (timezone === null) return answer(response, 400, 'Error: Timezone not provided');
  if (timezone.trim() === '') return answer(response, 400, 'Error: Timezone cannot be empty');
  const now = dateTimeIn(timezone);
  if (now === undefined) return answer(response, 400, 'Error: Invalid timezone value');
  return answer(response, 200, `Current date and time for ${timezone} is ${now}`);
}).listen(Number(process.env['PORT'] ?? 8080));

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

/** `YYYY-MM-DD HH:MM:SS` in an IANA time zone; undefined when there is none of that name. */
function dateTimeIn(timeZone: string): string | undefined {
  try {
    // Sweden writes dates the way PHP's `Y-m-d H:i:s` does.
    return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(new Date());
  } catch {
    return undefined;
  }
}

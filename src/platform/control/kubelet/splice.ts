import type { Duplex } from 'node:stream';
import { systemClock } from '#core/clock.ts';

/** How long a side that has been told the end may take to go away by itself. */
const lingerMs = 5000;

/**
 * Passes bytes both ways between two connections until both are gone. Whoever reads slowly holds the other back; an end is
 * passed on after the bytes before it; when one side breaks, the other is cut. Idle connections stay.
 */
export function splice(one: Duplex, other: Duplex): void {
  passOn(one, other);
  passOn(other, one);
}

function passOn(from: Duplex, to: Duplex): void {
  from.on('error', () => from.destroy());
  from.once('close', () => {
    if (!from.readableEnded) {
      to.destroy();
      return;
    }
    // It ended in order. What the far side still sends is for nobody, and closing over unread bytes would lose ours.
    to.unpipe(from);
    to.resume();
    systemClock.after(lingerMs, () => to.destroy());
  });
  from.pipe(to);
}

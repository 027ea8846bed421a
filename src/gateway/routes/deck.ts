/**
 * Deals the splits of one rule: a deck of 100 cards, shuffled once and dealt round and round, so that any 100 consecutive requests
 * match the percentages exactly while neighbours are unrelated.
 */
export class Deck {
  readonly #cards: Uint16Array;
  #next = 0;

  /** `percents` add up to 100 (anything else is scaled to that, the largest remainder first). */
  constructor(percents: readonly number[], random: () => number = Math.random) {
    const cards = new Uint16Array(100);
    let filled = 0;
    for (const [index, count] of scaleTo100(percents).entries()) {
      cards.fill(index, filled, filled + count);
      filled += count;
    }
    for (let index = cards.length - 1; index > 0; index--) {
      const other = Math.floor(random() * (index + 1));
      const card = cards[index] as number;
      cards[index] = cards[other] as number;
      cards[other] = card;
    }
    this.#cards = cards;
  }

  deal(): number {
    const card = this.#cards[this.#next] as number;
    this.#next = this.#next === 99 ? 0 : this.#next + 1;
    return card;
  }
}

function scaleTo100(percents: readonly number[]): number[] {
  const total = percents.reduce((sum, percent) => sum + percent, 0);
  if (total <= 0) return percents.map((_, index) => (index === 0 ? 100 : 0));
  const exact = percents.map((percent) => (percent * 100) / total);
  const counts = exact.map(Math.floor);
  const byRemainder = exact.map((value, index) => [value % 1, index] as const).sort((a, b) => b[0] - a[0]);
  let missing = 100 - counts.reduce((sum, count) => sum + count, 0);
  for (const [, index] of byRemainder) {
    if (missing-- <= 0) break;
    counts[index] = (counts[index] as number) + 1;
  }
  return counts;
}

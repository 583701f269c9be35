// Pairwise testing: few rows in which any two values that go together meet at least once.

export type Dimensions = Record<string, readonly string[]>
export type RowOf<D extends Dimensions> = { [Name in keyof D]: D[Name][number] }

/** Rows that are looked at for each one that is taken: more of them make a shorter table, slowly. */
const CANDIDATES = 300

/** Every row there is, the last dimension changing fastest. */
export function everyRow<D extends Dimensions>(dimensions: D): RowOf<D>[] {
  let rows: Record<string, string>[] = [{}]
  for (const [name, values] of Object.entries(dimensions))
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })))
  return rows as RowOf<D>[]
}

/** Two values of two dimensions. */
export type Pair = [[name: string, value: string], [name: string, value: string]]

export const everyPair = (dimensions: Dimensions): Pair[] => {
  const cells = Object.entries(dimensions).map(([name, values]) =>
    values.map((value): Pair[0] => [name, value]),
  )
  return cells.flatMap((ones, index) =>
    cells
      .slice(index + 1)
      .flat()
      .flatMap((other) => ones.map((one): Pair => [one, other])),
  )
}

export const holds = (row: Record<string, string>, pair: Pair): boolean =>
  pair.every(([name, value]) => row[name] === value)

/**
 * A table that covers each pair some possible row has; the same one every time. Greedy: of some rows with the first pair
 * that is missing, the one that brings the most missing pairs.
 */
export function coverPairs<D extends Dimensions>(
  dimensions: D,
  isPossible: (row: RowOf<D>) => boolean,
): RowOf<D>[] {
  const random = createRandom(1)
  const possible = everyRow(dimensions).filter(isPossible)
  let missing = everyPair(dimensions).filter((pair) => possible.some((row) => holds(row, pair)))
  const table: RowOf<D>[] = []
  for (let [first] = missing; first; [first] = missing) {
    const pair = first
    const fitting = possible.filter((row) => holds(row, pair))
    const best = bestOf(sample(fitting, random), missing)
    missing = missing.filter((other) => !holds(best, other))
    table.push(best)
  }
  return table
}

function bestOf<Row extends Record<string, string>>(rows: Row[], missing: Pair[]): Row {
  const ranked = rows.map((row) => ({ row, gain: missing.filter((pair) => holds(row, pair)).length }))
  return ranked.reduce((one, other) => (other.gain > one.gain ? other : one)).row
}

const sample = <T>(items: T[], random: () => number): T[] =>
  items.length <= CANDIDATES
    ? items
    : Array.from({ length: CANDIDATES }, () => items[Math.floor(random() * items.length)]!)

/** Park and Miller's minimal standard generator: 0 up to 1, the same row of numbers for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

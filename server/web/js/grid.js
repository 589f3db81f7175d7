/** How many columns a ward's beds are laid out in. Pure. */

/** The size at which a tile was designed; every other size is a scale of it. */
export const TILE = { width: 378, height: 158 };
const GAP = 4;
const SMALLEST = 0.92; // below this a tile is not readable from a few steps away: the wall scrolls instead
const LARGEST = 2;

/**
 * Chooses the arrangement with the largest tiles; between equals, the one with fewer holes.
 * @param {number} beds how many tiles
 * @param {number} width of the room for them, in CSS pixels
 * @param {number} height
 * @returns {{columns: number, rowHeight: number, scale: number, scrolls: boolean}}
 */
export function arrange(beds, width, height) {
  const count = Math.max(1, beds);
  let best = null;
  for (let columns = 1; columns <= Math.min(count, 8); columns += 1) {
    const rows = Math.ceil(count / columns);
    const across = (width - GAP * (columns - 1)) / columns / TILE.width;
    const down = (height - GAP * (rows - 1)) / rows / TILE.height;
    const candidate = { columns, rows, across, scale: Math.min(across, down, LARGEST), holes: columns * rows - count };
    if (!best || candidate.scale > best.scale + 0.005 || isTidier(candidate, best)) best = candidate;
  }
  if (best.scale >= SMALLEST) {
    const rowHeight = (height - GAP * (best.rows - 1)) / best.rows;
    return { columns: best.columns, rowHeight: Math.floor(rowHeight), scale: best.scale, scrolls: false };
  }
  const columns = Math.max(1, Math.min(count, Math.floor((width + GAP) / (TILE.width * SMALLEST + GAP))));
  const scale = Math.max(SMALLEST, Math.min(1.1, (width - GAP * (columns - 1)) / columns / TILE.width));
  return { columns, rowHeight: Math.ceil(TILE.height * SMALLEST), scale: Math.min(scale, 1), scrolls: true };
}

function isTidier(candidate, best) {
  return Math.abs(candidate.scale - best.scale) <= 0.005 && candidate.holes < best.holes;
}

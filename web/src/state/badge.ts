// Draws what waits onto the picture in the tab.

const size = 64;

/** The plain picture. */
export async function load(src: string): Promise<HTMLImageElement> {
  const image = new Image(size, size);
  image.src = src;
  await image.decode();
  return image;
}

/** The picture with a badge: text on red, or a dot if there is none. */
export function draw(base: HTMLImageElement, badge: string): string {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const c = canvas.getContext('2d');
  if (!c) return base.src;
  c.drawImage(base, 0, 0, size, size);
  const width = badge.length > 1 ? 46 : badge ? 36 : 28;
  const height = badge ? 36 : 28;
  c.beginPath();
  c.roundRect(size - width, size - height, width, height, height / 2);
  c.fillStyle = badge ? '#c8102e' : '#e8a317';
  c.fill();
  // A rim keeps the badge apart from the picture in any theme of the browser.
  c.lineWidth = 4;
  c.strokeStyle = '#fff';
  c.globalCompositeOperation = 'destination-over';
  c.stroke();
  c.globalCompositeOperation = 'source-over';
  c.fillStyle = '#fff';
  c.font = '700 30px system-ui, sans-serif';
  c.textAlign = 'center';
  c.textBaseline = 'middle';
  c.fillText(badge, size - width / 2, size - height / 2 + 2);
  return canvas.toDataURL('image/png');
}

export interface Icon {
  file: string;
  size: number;
  maskable?: boolean;
  badge?: boolean;
}
export const icons: Icon[];
export function draw(icon: Icon): Buffer;

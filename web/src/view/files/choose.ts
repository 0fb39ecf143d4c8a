/** Has somebody choose files of their device; or take a picture, where the device has a camera. */
export function choose(take: (files: File[]) => unknown, camera = false): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = !camera;
  if (camera) {
    input.accept = 'image/*';
    input.capture = 'environment';
  }
  input.onchange = () => void take([...(input.files ?? [])]);
  input.click();
}

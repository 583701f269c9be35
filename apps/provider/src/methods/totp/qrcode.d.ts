/** The part of the library that we use; it comes without types. */
declare module 'qrcode' {
  /** Modules row by row, dark ones true. */
  export function create(
    text: string,
    options: { errorCorrectionLevel: 'L' | 'M' | 'Q' | 'H' },
  ): { modules: { size: number; get(row: number, column: number): number | boolean } }
}

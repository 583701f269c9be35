const MOST = 300

/** As much of a `User-Agent` as is kept: no program needs more to say what it is, the rest would be somebody's own text. */
export const shortUserAgent = (userAgent: string): string => userAgent.slice(0, MOST)

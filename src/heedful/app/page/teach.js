export function teachView() {}

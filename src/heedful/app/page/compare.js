export function compareView() {}

export function seeView() {}

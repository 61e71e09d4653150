// Every listening socket of a Node server goes to 127.0.0.1: one of them insists on 0.0.0.0.
const net = require("node:net");

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function onLoopback(...given) {
  const [first, second] = given;
  if (first && typeof first === "object" && "port" in first) {
    given[0] = { ...first, host: "127.0.0.1" };
  } else if (/^\d+$/.test(String(first))) {
    given.splice(1, typeof second === "string" ? 1 : 0, "127.0.0.1");
  }
  return listen.apply(this, given);
};

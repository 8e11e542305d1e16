// Says that a file is too large before it is sent.

const input = document.getElementById("f-file");

input.addEventListener("change", () => {
  const most = Number(input.dataset.most);
  const large = [...input.files].some((file) => file.size > most);
  const sentence = `This file is larger than ${most / 1024 ** 2} MiB. Import it in parts.`;
  input.setCustomValidity(large ? sentence : "");
  input.reportValidity();
});

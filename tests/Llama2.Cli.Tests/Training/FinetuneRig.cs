using Llama2.Testing;

namespace Llama2.Cli.Tests;

/// <summary>Rows to train a tiny model on, and folders for the runs.</summary>
internal sealed class FinetuneRig : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public FinetuneRig(string model)
    {
        Model = model;
        Rows = Write("rows.jsonl", Enumerable.Range(0, 40).Select(
            i => $$"""{"text":"{{(char)('a' + i % 26)}}?","ground_truth":"{{(i % 2 == 0 ? "even" : "odd")}}"}"""));
        Out = _folder["out"];
    }

    public string Model { get; }

    /// <summary>Forty rows, of which 32 are trained on where a part is set aside.</summary>
    public string Rows { get; }

    public string Out { get; }

    public string this[string name] => _folder[name];

    public string Write(string name, IEnumerable<string> lines)
    {
        File.WriteAllText(_folder[name], string.Join('\n', lines) + "\n");
        return _folder[name];
    }

    /// <summary>A quick run: eight rows a step, a high learning rate.</summary>
    public Task<CliResult> RunAsync(params string[] more) => CliRunner.RunAsync(Arguments(Out, more));

    public string[] Arguments(string output, params string[] more) =>
    [
        "finetune", Model, "--train-file-path", Rows, "--out", output, "--per-device-train-batch-size", "8", "--learning-rate", "0.01", "--threads", "1",
        .. more,
    ];

    public byte[] Weights(string folder = "out/model") => File.ReadAllBytes(System.IO.Path.Combine(_folder.Path, folder, "model.safetensors"));

    public void Dispose() => _folder.Dispose();
}

using System.Text;
using Llama2.Testing;

namespace Llama2.Cli.Tests;

public sealed class SettingFileTests
{
    private static readonly string[] _known = ["learning_rate", "lora_r", "train_file_path", "text_key", "apply_lora"];

    [Theory]
    [InlineData("a.yaml", "learning_rate: 2e-5\nlora_r: 8   # small\ntrain_file_path:\n  - a.jsonl\n  - 'b c.jsonl'\ntext_key:\napply_lora: True\n")]
    [InlineData("a.yml", "{learning_rate: \"2e-5\", lora_r: 8, train_file_path: [a.jsonl, b c.jsonl], text_key: null, apply_lora: True}")]
    [InlineData("a.json", "{\"learning_rate\": \"2e-5\", \"lora_r\": 8, \"train_file_path\": [\"a.jsonl\", \"b c.jsonl\"], \"text_key\": null, \"apply_lora\": \"True\",}")]
    public void Read_SettingsInEitherFormat_AreTheTextsThatStandThere(string name, string text)
    {
        SettingFile file = Read(name, text);

        Assert.Equal(["2e-5"], file.Values["learning_rate"]);
        Assert.Equal(["8"], file.Values["lora_r"]);
        Assert.Equal(["a.jsonl", "b c.jsonl"], file.Values["train_file_path"]);
        Assert.Equal(["True"], file.Values["apply_lora"]);
        Assert.False(file.Values.ContainsKey("text_key"));
    }

    [Theory]
    [InlineData("a.yaml", "lora_rank: 8", "'lora_rank' is no setting of this command; 'lora_r' was probably meant.")]
    [InlineData("a.json", "{\"learning-rate\": 1}", "'learning-rate' is no setting of this command; 'learning_rate' was probably meant.")]
    [InlineData("a.yaml", "zzz: 8", "'zzz' is no setting of this command.")]
    [InlineData("a.yaml", "lora_r: 8\nlora_r: 9", "'lora_r' stands there twice.")]
    [InlineData("a.json", "{\"lora_r\": 8, \"lora_r\": 9}", "'lora_r' stands there twice.")]
    [InlineData("a.yaml", "lora_r: {a: 1}", "'lora_r' holds something nested; a value or a list of values is expected.")]
    [InlineData("a.yaml", "lora_r: [[1]]", "'lora_r' holds something nested")]
    [InlineData("a.json", "{\"lora_r\": {\"a\": 1}}", "'lora_r' holds something nested")]
    [InlineData("a.yaml", "- lora_r", "lines such as 'learning_rate: 2e-5' are expected.")]
    [InlineData("a.json", "[1]", "one object of settings is expected.")]
    [InlineData("a.yaml", "lora_r: 8\nlearning_rate: [1", "this is no valid YAML.")]
    [InlineData("a.yaml", "lora_r: *x", "'lora_r' holds something nested")]
    [InlineData("a.json", "{\n\"lora_r\": }", "line 2: this is no valid JSON.")]
    public void Read_FileThatWillNotDo_SaysWhy(string name, string text, string message)
    {
        UsageException exception = Assert.Throws<UsageException>(() => Read(name, text));

        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_EmptyYaml_SetsNothing() => Assert.Empty(Read("a.yaml", "# nothing\n").Values);

    [Fact]
    public void Read_NoUtf8_SaysSo()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a.yaml"], Encoding.Latin1.GetBytes("text_key: ä"));

        Assert.Contains("not UTF-8", Assert.Throws<UsageException>(() => SettingFile.Read(folder["a.yaml"], _known)).Message, StringComparison.Ordinal);
    }

    private static SettingFile Read(string name, string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[name], text);
        return SettingFile.Read(folder[name], _known);
    }
}

using System.Text.Json;

namespace Llama2.Cli.Tests;

public sealed class BenchCommandTests(TinyModelFixture model) : IClassFixture<TinyModelFixture>
{
    private static readonly string[] _quick = ["--prompt", "8,20", "--depth", "4", "--batch", "1,2", "--decode", "4", "--repeat", "1", "--warm-up", "0"];

    [Fact]
    public async Task Bench_Json_HasARowForEachMeasurement()
    {
        CliResult result = (await CliRunner.RunAsync(["bench", model.Path, "--json", "--second-turn", "16", "--beside", "40", .. _quick])).Succeeded();
        JsonElement json = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(
            [("prefill", 8, 1), ("prefill", 20, 1), ("decode", 4, 1), ("decode", 4, 2)],
            json.GetProperty("rows").EnumerateArray().Select(row => (row.GetProperty("what").GetString(), row.GetProperty("tokens").GetInt32(), row.GetProperty("batch").GetInt32())));
        Assert.All(json.GetProperty("rows").EnumerateArray(), row =>
        {
            Assert.True(row.GetProperty("tokens_per_second").GetDouble() > 0);
            Assert.InRange(row.GetProperty("tokens_per_second").GetDouble(), row.GetProperty("slowest").GetDouble(), row.GetProperty("fastest").GetDouble());
            Assert.True(row.GetProperty("fraction_of_floor").GetDouble() > 0);
        });
        foreach (string name in new[] { "read_gb_per_second", "float_gmac_per_second", "short_gmac_per_second", "byte_gmac_per_second", "load_seconds", "load_to_first_token_seconds", "load_to_packed_seconds", "peak_memory_bytes", "second_turn_fraction", "between_tokens_beside_prompt_ms" })
        {
            Assert.True(json.GetProperty(name).GetDouble() > 0, name);
        }

        Assert.InRange(json.GetProperty("load_system_fraction").GetDouble(), 0, 1);
        Assert.InRange(json.GetProperty("load_to_packed_system_fraction").GetDouble(), 0, 1);
    }

    [Fact]
    public async Task Bench_Plain_IsATable()
    {
        CliResult result = (await CliRunner.RunAsync(["bench", model.PathWithoutTokenizer, "--threads", "1", .. _quick])).Succeeded();
        Assert.Equal(3 + 1 + 4, result.Lines.Length);
        Assert.StartsWith("prefill", result.Lines[4], StringComparison.Ordinal);
        Assert.Contains("1 threads", result.Lines[0], StringComparison.Ordinal);
        Assert.Contains("measuring the machine", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--prompt", "0")]
    [InlineData("--prompt", "8,x")]
    [InlineData("--batch", "")]
    [InlineData("--repeat", "0")]
    [InlineData("--warm-up", "-1")]
    [InlineData("--warm-up", "NaN")]
    [InlineData("--prompt", "100000")]
    public async Task Bench_WrongNumbers_SaysSo(string option, string value)
    {
        CliResult result = await CliRunner.RunAsync(["bench", model.Path, option, value]);
        Assert.NotEqual(0, result.Code);
        Assert.Contains("error", result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }
}

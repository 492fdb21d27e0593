using System.Text.Json;
using System.Text.Json.Nodes;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Random models of every attention shape and rotary variant against float64 figures; what produced them stands in the data's README.</summary>
public class RandomModelGoldenTests
{
    public static TheoryData<string> Keys => TestData.Root is null
        ? ["(no data)"]
        : [.. TestData.Rows("models/tiny-random/golden.jsonl").Select(row => row.GetProperty("key").GetString()!)];

    [SharedDataTheory]
    [MemberData(nameof(Keys))]
    public void Forward_GoldenRow_EqualFigures(string key)
    {
        JsonElement row = TestData.Rows("models/tiny-random/golden.jsonl").Single(row => row.GetProperty("key").GetString() == key);
        var golden = new GoldenTensors(TestData.Path("models/tiny-random/golden_logits.safetensors"));
        using var folder = new TemporaryFolder();
        using Checkpoint checkpoint = Checkpoint.Open(WithConfig(folder, row));
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { ContextLength = 128 });

        int[] ids = GoldenAssert.Integers(row, "input_ids"), positions = GoldenAssert.Integers(row, "logit_positions");
        float[][] logits = backend.Logits(ids);
        Assert.Equal(ids, golden.Integers(key + ".input_ids"));
        Assert.Equal(positions.Length, GoldenAssert.Close(golden.Rows(key + ".logits"), [.. positions.Select(position => logits[position])], 1e-4));
        Assert.Equal(
            row.GetProperty("top5").EnumerateArray().Select(top => string.Join(' ', top.EnumerateArray())),
            logits.Select(line => string.Join(' ', line.Index().OrderByDescending(logit => logit.Item).Take(5).Select(logit => logit.Index))));
        if (row.GetProperty("mean_nll").ValueKind == JsonValueKind.Number)
        {
            Assert.Equal(row.GetProperty("mean_nll").GetDouble(), GoldenAssert.MeanNegativeLogLikelihood(ids, logits), 1e-5);
        }

        if (row.TryGetProperty("greedy_ids", out _))
        {
            int[] greedy = GoldenAssert.Integers(row, "greedy_ids");
            Assert.Equal(greedy, backend.Greedy(ids, greedy.Length));
        }
    }

    /// <summary>The model's folder with the row's changes to its configuration.</summary>
    private static string WithConfig(TemporaryFolder folder, JsonElement row)
    {
        string model = TestData.Path("models/tiny-random/" + row.GetProperty("model").GetString());
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(model, "config.json")))!.AsObject();
        foreach (JsonProperty change in row.GetProperty("config_override").EnumerateObject())
        {
            config[change.Name] = JsonNode.Parse(change.Value.GetRawText());
        }

        File.WriteAllText(Path.Combine(folder.Path, "config.json"), config.ToJsonString());
        File.Copy(Path.Combine(model, "model.safetensors"), Path.Combine(folder.Path, "model.safetensors"));
        return folder.Path;
    }
}

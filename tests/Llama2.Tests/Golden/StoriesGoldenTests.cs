using System.Text.Json;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>The real small model against llama2.c and float64 figures; what produced them stands in the data's README.</summary>
public class StoriesGoldenTests
{
    [SharedDataTheory]
    [InlineData("stories260K", null, "logits_runc", 1e-4)]
    [InlineData("stories260K", null, "logits_f64", 1e-4)]
    [InlineData("stories260K-f16-untied", null, "logits_f64_f16", 1e-3)]
    [InlineData("stories260K-bf16-sharded", null, "logits_f64_bf16", 1e-3)]
    [InlineData("stories260K-bf16-sharded", WeightFormat.F32, "logits_f64_bf16", 1e-4)]
    public void Forward_GoldenPrompts_EqualLogits(string model, WeightFormat? format, string column, double tolerance)
    {
        var golden = new GoldenTensors(TestData.Path("models/stories260K_golden_logits.safetensors"));
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/" + model));
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = format, CacheFormat = WeightFormat.F32 });
        int rows = 0;
        for (int prompt = 0; golden.Contains($"p{prompt}.input_ids"); prompt++)
        {
            if (golden.Contains($"p{prompt}.{column}"))
            {
                rows += GoldenAssert.Close(golden.Rows($"p{prompt}.{column}"), backend.Logits(golden.Integers($"p{prompt}.input_ids")), tolerance);
            }
        }

        Assert.True(rows >= 4 * 24, $"only {rows} rows were compared");
    }

    [SharedDataTheory]
    [InlineData("stories260K", "logits_f64")]
    [InlineData("stories260K-f16-untied", "logits_f64_f16")]
    [InlineData("stories260K-bf16-sharded", "logits_f64_bf16")]
    public void Forward_HalfPrecisionCache_LogitsWithinItsPrecision(string model, string column)
    {
        var golden = new GoldenTensors(TestData.Path("models/stories260K_golden_logits.safetensors"));
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/" + model));
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions { CacheFormat = WeightFormat.F16 });
        GoldenAssert.Close(golden.Rows($"p1.{column}"), backend.Logits(golden.Integers("p1.input_ids")), 0.02);
    }

    [SharedDataTheory]
    [InlineData("stories260K")]
    [InlineData("stories260K-f16-untied", "A")]
    [InlineData("stories260K-bf16-sharded", "A", "One day, a big red")]
    public void Forward_GoldenPrompts_SameGreedyTokens(string model, params string[] nearTies)
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/" + model));
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions());
        foreach (JsonElement row in TestData.Rows("models/stories260K_golden_greedy.jsonl"))
        {
            if (nearTies.Contains(row.GetProperty("prompt").GetString()))
            {
                continue;
            }

            int[] prompt = GoldenAssert.Integers(row, "prompt_ids"), expected = GoldenAssert.Integers(row, "new_ids");
            Assert.Equal(expected, backend.Greedy(prompt, expected.Length));
        }
    }

    [SharedDataTheory]
    [InlineData(WeightFormat.Q8_0, null, 1e-3)]
    [InlineData(WeightFormat.F32, WeightFormat.F16, 1e-5)]
    [InlineData(WeightFormat.F16, null, 1e-5)]
    [InlineData(WeightFormat.F32, WeightFormat.Q8_0, 3e-3)]
    public void Forward_GoldenTexts_DistributionNearThatOfSingles(WeightFormat weights, WeightFormat? cache, double most)
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/stories260K"));
        using var exact = CpuBackend.Load(checkpoint, new LlamaModelOptions());
        using var rounded = CpuBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = weights, CacheFormat = cache });
        double sum = 0;
        int count = 0;
        foreach (JsonElement row in TestData.Rows("models/stories260K_golden_nll.jsonl"))
        {
            int[] ids = GoldenAssert.Integers(row, "ids");
            foreach ((float[] p, float[] q) in exact.Logits(ids).Zip(rounded.Logits(ids)))
            {
                sum += Divergence(p, q);
                count++;
            }
        }

        Assert.InRange(sum / count, 0, most);

        // Kullback-Leibler: Σ p (ln p − ln q).
        static double Divergence(float[] p, float[] q)
        {
            double logP = LogSum(p), logQ = LogSum(q);
            return p.Zip(q, (x, y) => Math.Exp(x - logP) * (x - logP - (y - logQ))).Sum();
        }

        static double LogSum(float[] logits)
        {
            double largest = logits.Max();
            return largest + Math.Log(logits.Sum(logit => Math.Exp(logit - largest)));
        }
    }

    [SharedDataFact]
    public void Forward_GoldenTexts_SameLikelihood()
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/stories260K"));
        using var backend = CpuBackend.Load(checkpoint, new LlamaModelOptions());
        foreach (JsonElement row in TestData.Rows("models/stories260K_golden_nll.jsonl"))
        {
            int[] ids = GoldenAssert.Integers(row, "ids");
            Assert.Equal(row.GetProperty("mean_nll_f64").GetDouble(), GoldenAssert.MeanNegativeLogLikelihood(ids, backend.Logits(ids)), 1e-5);
        }
    }
}
